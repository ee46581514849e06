{#- The month of a date as 'yyyy-MM'. -#}
{% macro month_of(column) -%}
    date_format({{ column }}, 'yyyy-MM')
{%- endmacro %}
