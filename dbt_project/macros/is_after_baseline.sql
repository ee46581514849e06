{#- Events a run may see: what happened on the opening date is in the baseline already, what comes after the load is another load's. -#}
{% macro is_after_baseline(column) -%}
    {{ column }} > {{ run_date('opening_date') }} and {{ column }} <= {{ run_date('last_date') }}
{%- endmacro %}
