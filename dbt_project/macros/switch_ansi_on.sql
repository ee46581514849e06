{#- dbt-spark puts its own `false` into these parameters and applies them before every statement; see dbt_project.yml. -#}
{% macro switch_ansi_on() -%}
    {% if execute %}
        {% do adapter.config.credentials.server_side_parameters.update({'spark.sql.ansi.enabled': 'true'}) %}
    {% endif %}
{%- endmacro %}
