with source as (
    select * from {{ source('gold', 'aml_grades') }}
),

final as (
    select
        customer_id,
        business_date,
        aml_grade,
        aml_graded_date,
        aml_review_date
    from source
    where {{ is_loaded_date('business_date') }}
)

select * from final
